"""The words of the admin API: every body and answer as a typed object, from which the OpenAPI document is made."""
