"""The starter policies, shipped with the package: Rego modules and their data, read by `proxy.policy`."""
