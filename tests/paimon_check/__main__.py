"""PYTHONPATH=tests python3 -m paimon_check verify TABLE-FOLDER --deep"""

from .cli import run

run()
