"""One training recipe per network: functions that return complete configurations."""
