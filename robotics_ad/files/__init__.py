"""How robot files are found, guarded and read, for the loaders `urdf` and `mjcf`.

source -> `sources` -> text -> `xml_guard` -> `urdf_xml`
                                           -> `mjcf_source` -> `mjcf_tree`, `mjcf_rules`
"""
