"""The console: server-rendered pages over spend and operations, mounted by the admin app under /console."""

from proxy.admin.console.app import ConsoleRooms, build_console
from proxy.admin.console.first_call import FirstCall
from proxy.admin.console.over_rooms import StoreBudgets, StoreReadings
from proxy.admin.console.sessions import ConsoleIdentity, ConsoleSessions

__all__ = [
    "ConsoleIdentity",
    "ConsoleRooms",
    "ConsoleSessions",
    "FirstCall",
    "StoreBudgets",
    "StoreReadings",
    "build_console",
]
