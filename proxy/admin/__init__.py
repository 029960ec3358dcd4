"""The admin port: the API that people and scripts govern Flyball by, with the console beside it."""

from proxy.admin.app import build_admin
from proxy.admin.rooms import AdminRooms, AuditLog, Change, Configured, SpendReader

__all__ = ["AdminRooms", "AuditLog", "Change", "Configured", "SpendReader", "build_admin"]
