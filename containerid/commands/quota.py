"""The account: quota."""

from typing import TYPE_CHECKING, Any

from containerid import options as o
from containerid.command import app, command

if TYPE_CHECKING:
    from containerid.console import Screen
    from containerid.outlook import Outlook


@command(app, "quota")
def quota(screen: "Screen", rehearse: o.EmbeddedOption = False) -> None:
    """Show the GPU hours left, the slots, what uses them.

    Hours that running sessions have reserved are not left. With --rehearse, those of the embedded Kaggle.
    """
    from containerid import runs
    from containerid.runs.preflight import when

    outlook = runs.quota(runs.Home.of_user(), backend="rehearsal" if rehearse else "kaggle")
    screen.document(_document(outlook))
    screen.say(outlook.account)
    if outlook.hours:
        hours = outlook.hours
        screen.say(f"GPU hours  {hours.left:.1f} left of {hours.total:.0f}", style="bold")
        screen.say(f"           {hours.used:.1f} used, {hours.reserved:.1f} reserved by what runs now")
        screen.say(f"           filled again {when(hours.refresh)}" if hours.refresh else "")
    else:
        screen.say("GPU hours  unknown: Kaggle does not say")
    for kind, places in outlook.places.items():
        screen.say(f"{kind.upper()} slots  {len(outlook.taken(kind))} of {places} in use")
    if outlook.sessions:
        rows = ((each.handle, each.kind, each.state, each.run or "not of this registry") for each in outlook.sessions)
        screen.table(("kernel", "kind", "state", "run"), rows)


def _document(outlook: "Outlook") -> dict[str, Any]:
    hours = outlook.hours
    return {
        "account": outlook.account,
        "gpu": {
            "used_h": round(hours.used, 3),
            "reserved_h": round(hours.reserved, 3),
            "left_h": round(hours.left, 3),
            "total_h": round(hours.total, 3),
            "refresh": hours.refresh and hours.refresh.isoformat(),
        }
        if hours
        else None,
        "slots": {kind: {"used": len(outlook.taken(kind)), "total": total} for kind, total in outlook.places.items()},
        "sessions": [
            {"kernel": each.handle, "kind": each.kind, "state": each.state, "run": each.run or None}
            for each in outlook.sessions
        ],
    }
