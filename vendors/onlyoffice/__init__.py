"""ONLYOFFICE CRM (Community Server, API 2.0)."""
