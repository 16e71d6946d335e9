"""Pictures of what happened: videos, rerun recordings, plots and the report. Needs the extra `viz`."""

from .plots import write_plots
from .report import write_report
from .rerun_log import write_rrd
from .video import render_video

__all__ = ["render_video", "write_plots", "write_report", "write_rrd"]
