"""What tests share: accounts, configs, syncs in this process or in one of their own, and what they are to bring."""
