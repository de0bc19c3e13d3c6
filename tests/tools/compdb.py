#!/usr/bin/python3
"""compdb.py "CC FLAGS" FILE...: prints compile_commands.json for the given sources."""
import json
import os
import sys

json.dump([{"directory": os.getcwd(), "command": f"{sys.argv[1]} -c {f}", "file": f} for f in sys.argv[2:]],
          sys.stdout, indent=1)
