"""Made-up names of people, clients, projects and the rest, and notes."""

from __future__ import annotations

FIRST = (
    *("Amara", "Björn", "Chidi", "Dolores", "Eszter", "Fionn", "Güler", "Hiroto"),
    *("Ilse", "Jovan", "Kofi", "Leïla", "Mateo", "Nadia", "Oisín", "Paloma"),
)
LAST = (
    *("Abernathy", "Brandvold", "Castellano", "Dvořák", "Eklund", "Fontaine", "Grzybowski", "Hartnell"),
    *("Ibáñez", "Jankowski", "O'Dell"),
)
CLIENTS = (
    *("Kestrel & Daughters", "Blåbær Bakeri AS", "Mooring Lane Dental", "Ōkami Robotics", "Fennel Street Radio"),
    *("Casa Azulejo", "Tidewrack Insurance", 'The "Lantern" Theatre', "Pumpernickel Cycles", "Voss und Töchter"),
    *("Quarry Hill Schools", "Sable Point Brewing", "Nimbus Orchard", "Halyard Legal", "Ember & Oak"),
)
CURRENCIES = ("EUR", "EUR", "GBP", "EUR", "USD", "EUR", "CHF")
PROJECTS = (
    *("Booking site", "Brand refresh", "Support desk", "Autumn campaign", "Warehouse app", "Annual report"),
    *("Kiosk prototype", "Data room", "Podcast season", "Accessibility audit", "Loyalty scheme", "Intranet"),
)
TASKS = (
    *("Design", "Development", "Meetings", "Copywriting", "Testing", "Project management", "Research"),
    *("Illustration", "Training", "Old: faxing"),
)
ROLES = ("Design", "Engineering", "Producer", "Writer", "Nobody yet")
NOTES = (
    *("Wireframes for checkout", "Fix the import of opening hours", "Call about the launch date", ""),
    *("Second round: colours", 'Renamed "Basket" to "Bag", again', "Réunion de lancement à Genève", "レビュー対応"),
    *("First line\nSecond line\n\tindented", "100% of the tests; 50% of the time", "C:\\temp is full", "🚲 delivery"),
    *("Pairing on search", "Estimate for phase two", "Proofreading", "Server move", "Weekly call", "Tidy the backlog"),
)
ITEM_KINDS = ("Service", "Product", "Hosting")
MILEAGE = "Mileage"
EXPENSES = (MILEAGE, "Train", "Meals", "Software", "Old: telegrams")
MANAGER_PERMISSIONS = (
    *("project_creator", "billable_rates_manager", "managed_projects_invoice_drafter"),
    *("managed_projects_invoice_manager", "client_and_task_manager", "time_and_expenses_manager"),
    *("estimates_manager", "people_manager"),
)
