# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures with their yardsticks and bounds, for people and for programs."""
import json

UNITS = {"ns": "ns", "us": "us", "ms": "ms", "s": "s", "B": "B", "KiB": "KiB",
         "/s": "/s", "": ""}


class Table:
    def __init__(self):
        self.rows = []

    def add(self, part, what, value, unit, yard=None, yard_what="",
            bound=None, bound_of="ratio", note="", least=False):
        """bound_of: what may be at most `bound` (or, with `least`, at least),
        the ratio to the yardstick or the value itself; without a bound the row
        is for information."""
        ratio = value / yard if yard else None
        judged = ratio if bound_of == "ratio" else value
        ok = None
        if bound is not None and judged is not None:
            ok = judged >= bound if least else judged <= bound
        self.rows.append({"part": part, "what": what, "value": value,
                          "unit": unit, "yardstick": yard,
                          "yardstick_what": yard_what, "ratio": ratio,
                          "bound": bound, "bound_of": bound_of,
                          "least": least, "ok": ok,
                          "note": note})

    def missed(self):
        return [r for r in self.rows if r["ok"] is False]

    def json(self):
        return json.dumps(self.rows, indent=1)

    @staticmethod
    def number(value, unit):
        if value is None:
            return ""
        digits = {"ns": 0, "us": 0, "ms": 1, "s": 3, "B": 0, "KiB": 0,
                  "/s": 0, "": 3}[unit]
        return "%.*f%s" % (digits, value, " " + unit if unit else "")

    def line(self, row):
        bound = ""
        if row["bound"] is not None:
            unit = "" if row["bound_of"] == "ratio" else row["unit"]
            bound = "%s %g%s%s" % (">=" if row["least"] else "<=",
                                   row["bound"], " " + unit if unit else "",
                                   " x" if row["bound_of"] == "ratio" else "")
        verdict = {True: "pass", False: "MISS", None: ""}[row["ok"]]
        return (row["what"], self.number(row["value"], row["unit"]),
                row["yardstick_what"],
                self.number(row["yardstick"], row["unit"]),
                "" if row["ratio"] is None else "%.2f" % row["ratio"],
                bound, verdict, row["note"])

    def text(self):
        head = ("figure", "measured", "yardstick", "measured", "ratio",
                "bound", "", "")
        lines = [(r["part"], self.line(r)) for r in self.rows]
        every = [head] + [line for _, line in lines]
        width = [max(len(line[i]) for line in every) for i in range(8)]
        right = {1, 3, 4}

        def show(line):
            return "  ".join(
                c.rjust(w) if i in right else c.ljust(w)
                for i, (c, w) in enumerate(zip(line, width))).rstrip()
        out, part = ["  " + show(head)], None
        for this, line in lines:
            if this != part:
                out.append(this)
                part = this
            out.append("  " + show(line))
        return "\n".join(out)
