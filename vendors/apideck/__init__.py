"""Apideck: one unified CRM interface in front of many downstream CRMs."""
