"""Robot files, found, guarded and read.

source -> `sources` -> text -> `xml_guard` -> `urdf_xml` -> `urdf`
                           -> `srdf`
          `xacro_source` -> text -> `urdf_xml`
                           -> `mjcf_guard` -> `mjcf_source` -> `mjcf_tree`, `mjcf_rules` -> `mjcf`

`isolated` does all this in a process of its own, for files of strangers.
"""

from robotics_ad.load.mjcf import Mjcf, load_mjcf, read_mjcf
from robotics_ad.load.sources import package_path
from robotics_ad.load.srdf import Srdf, load_srdf
from robotics_ad.load.urdf import load_urdf
from robotics_ad.load.urdf_writer import to_urdf
from robotics_ad.load.xacro_source import expand_xacro, load_xacro

__all__ = [
    "Mjcf",
    "Srdf",
    "expand_xacro",
    "load_mjcf",
    "load_srdf",
    "load_urdf",
    "load_xacro",
    "package_path",
    "read_mjcf",
    "to_urdf",
]
