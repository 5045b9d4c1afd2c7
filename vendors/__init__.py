"""Adapters to the CRM vendors: wire facts and mapping. A folder here is a vendor, a file is shared by all of them."""
