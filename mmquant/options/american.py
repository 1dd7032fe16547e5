def american_greeks(rows, settings):
    raise NotImplementedError


def american_vols(rows, settings):
    raise NotImplementedError
