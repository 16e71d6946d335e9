"""Terms that name a template become whole terms while a task is read."""

from __future__ import annotations

from typing import Any

from .errors import SpecError, unknown

Data = dict[str, Any]


def expand_templates(data: Data, place: str) -> Data:
    """Return a task's data with every term of a template filled in. Raises SpecError for unknown names."""
    templates = data.get("templates")
    if not isinstance(templates, dict) or not isinstance(data.get("channels"), dict):
        return data
    channels: Data = {}
    for name, channel in data["channels"].items():
        channels[name] = channel
        if isinstance(channel, dict) and isinstance(channel.get("terms"), dict):
            here = f"{place}: channels.{name}.terms"
            terms = {t: _filled(term, templates, f"{here}.{t}") for t, term in channel["terms"].items()}
            channels[name] = channel | {"terms": terms}
    return data | {"channels": channels}


def _filled(term: Any, templates: Data, place: str) -> Any:
    """The term with what it leaves out taken from its template; a number for a parameter keeps unit and range."""
    if not isinstance(term, dict) or not term.get("template"):
        return term
    name = term["template"]
    if name not in templates:
        raise unknown(f"{place}: template", "template", str(name), templates)
    if term.get("expr") == templates[name].get("expr"):
        return term  # it was filled in before
    if "expr" in term:
        raise SpecError(f"{place}: expected either 'expr' or 'template', got both")
    template, given = templates[name], term.get("params", {})
    params = dict(template.get("params", {}))
    for key, value in given.items():
        if key not in params:
            raise unknown(f"{place}.params: template {name}", "parameter", key, params)
        keeps = isinstance(params[key], dict) and not isinstance(value, dict)
        params[key] = params[key] | {"value": value} if keeps else value
    return template | term | {"params": params}
