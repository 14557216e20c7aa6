"""A stack on AWS: what must hold before it is deployed, and whether a deployed one is well."""
