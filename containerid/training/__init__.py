"""What runs on the far side: environment, data, validation, training, evaluation, report.

It knows nothing about who called it: a spec comes in, `result.json` and `manifest.json` go out, whatever happens.
"""
