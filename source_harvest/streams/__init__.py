"""All streams, in the order of Harvest's own reference, each made-up one after the list that it comes from."""

from source_harvest.stream_types.base import HarvestStream
from source_harvest.streams.clients import Clients, Contacts
from source_harvest.streams.company import Company
from source_harvest.streams.deleted_records import DeletedRecords
from source_harvest.streams.estimates import EstimateItemCategories, EstimateLineItems, EstimateMessages, Estimates
from source_harvest.streams.expenses import ExpenseCategories, Expenses
from source_harvest.streams.invoices import (
    InvoiceItemCategories,
    InvoiceLineItems,
    InvoiceMessages,
    InvoicePayments,
    Invoices,
)
from source_harvest.streams.paid_time_off import (
    PtoAllocations,
    PtoAssignments,
    PtoBalances,
    PtoHolidayCalendars,
    PtoHolidays,
    PtoRequestDays,
    PtoRequests,
    PtoTypes,
    PtoWorkSchedules,
)
from source_harvest.streams.projects import Projects, ProjectTasks, ProjectUsers, UserProjects, UserProjectTasks
from source_harvest.streams.reports import (
    ExpensesCategories,
    ExpensesClients,
    ExpensesProjects,
    ExpensesTeam,
    ProjectBudget,
    TimeClients,
    TimeProjects,
    TimeTasks,
    TimeTeam,
    Uninvoiced,
)
from source_harvest.streams.roles import Roles, UserRoles
from source_harvest.streams.tasks import Tasks
from source_harvest.streams.time_entries import TimeEntries, TimeEntryExternalReference
from source_harvest.streams.users import BillableRates, CostRates, Teammates, Users

STREAMS: tuple[type[HarvestStream], ...] = (
    Company,
    Clients,
    Contacts,
    Invoices,
    InvoiceLineItems,
    InvoiceMessages,
    InvoicePayments,
    InvoiceItemCategories,
    Estimates,
    EstimateLineItems,
    EstimateMessages,
    EstimateItemCategories,
    Expenses,
    ExpenseCategories,
    Tasks,
    TimeEntries,
    TimeEntryExternalReference,
    Projects,
    ProjectUsers,
    ProjectTasks,
    UserProjects,
    UserProjectTasks,
    Roles,
    UserRoles,
    Users,
    BillableRates,
    CostRates,
    Teammates,
    TimeClients,
    TimeProjects,
    TimeTasks,
    TimeTeam,
    ExpensesClients,
    ExpensesProjects,
    ExpensesCategories,
    ExpensesTeam,
    Uninvoiced,
    ProjectBudget,
    PtoTypes,
    PtoRequests,
    PtoRequestDays,
    PtoHolidayCalendars,
    PtoHolidays,
    PtoWorkSchedules,
    PtoAssignments,
    PtoAllocations,
    PtoBalances,
    DeletedRecords,
)
