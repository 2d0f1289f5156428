"""A plugin of pytest that reads Castellan's options, as a program that uses it does and its tests do not.

Without a file they come from the environment, OS_BARBICAN__AUTH_ENDPOINT and the like.
"""

from oslo_config import cfg

cfg.CONF([], project="castellan", default_config_files=[])
