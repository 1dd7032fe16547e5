from typing import Any
def american_greeks(rows: Any, settings: Any) -> Any: raise NotImplementedError
def american_vols(rows: Any, settings: Any) -> Any: raise NotImplementedError
