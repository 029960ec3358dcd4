"""Prices: the dated book, the operator's overlay, and the one multiplication."""

from proxy.pricing.book import PriceBook, load_book
from proxy.pricing.card import Price
from proxy.pricing.costing import Priced, price, worst_case
from proxy.pricing.costing import expected_cost as expected_cost
from proxy.pricing.costing import worst_units as worst_units
from proxy.pricing.overlay import BadPrices
from proxy.pricing.settings import PricingSettings

__all__ = ["BadPrices", "Price", "PriceBook", "Priced", "PricingSettings", "load_book", "price", "worst_case"]
