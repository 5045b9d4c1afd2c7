"""The graph: CRM nouns, loaders and resolvers. No vendor's name and no HTTP in here."""
