"""A URDF of three turning joints in a plane, whose links of half a metre end in `d`."""

PLANAR = """<robot name="planar"><link name="a"/>
{}<link name="d"/><joint name="end" type="fixed"><parent link="l3"/><child link="d"/>
<origin xyz="0.5 0 0"/></joint></robot>""".format(
    "".join(
        f'<link name="l{i}"/><joint name="j{i}" type="revolute"><axis xyz="0 0 1"/>'
        f'<parent link="{"a" if i == 1 else f"l{i - 1}"}"/><child link="l{i}"/>'
        f'<origin xyz="{0.0 if i == 1 else 0.5} 0 0"/>'
        f'<limit lower="-2" upper="2" velocity="1" effort="1"/></joint>'
        for i in (1, 2, 3)
    )
)
