"""The one seeded generator of archives that look like real ones: the demo, tests and benchmarks use it.

Every name is an example name. A message is drawn once (`messages`) and written in each format by a renderer of its own, so that
an extended trace and EmailEvents rows of the same mail can be told to belong together.
"""

from poolsift.demo.archive import Archive, write_archive
from poolsift.demo.messages import Message, draw_messages

__all__ = ["Archive", "Message", "draw_messages", "write_archive"]
