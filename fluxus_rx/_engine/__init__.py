"""Steps as stages of a running flow, and the observables made of them."""
