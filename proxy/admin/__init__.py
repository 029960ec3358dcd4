"""The admin port: the API that people and scripts govern Flyball by, with the console beside it."""

from proxy.admin.app import build_admin
from proxy.admin.rooms import AdminRooms, AuditLog, Change, SpendReader

__all__ = ["AdminRooms", "AuditLog", "Change", "SpendReader", "build_admin"]
