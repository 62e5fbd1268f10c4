"""Robot files, found, guarded and read.

source -> `sources` -> text -> `xml_guard` -> `urdf_xml` -> `urdf`
                           -> `srdf`
                           -> `mjcf_guard` -> `mjcf_source` -> `mjcf_tree`, `mjcf_rules` -> `mjcf`

`isolated` does all this in a process of its own, for files of strangers.
"""

from robotics_ad.load.mjcf import Mjcf, load_mjcf, read_mjcf
from robotics_ad.load.sources import package_path
from robotics_ad.load.srdf import Srdf, load_srdf
from robotics_ad.load.urdf import load_urdf
from robotics_ad.load.urdf_writer import to_urdf

__all__ = [
    "Mjcf",
    "Srdf",
    "load_mjcf",
    "load_srdf",
    "load_urdf",
    "package_path",
    "read_mjcf",
    "to_urdf",
]
