"""What Lamella passes around: immutable records, checked once, where they are made."""

from lamella.records.images import FINEST_GREY_LEVEL as FINEST_GREY_LEVEL
from lamella.records.images import UNKNOWN_FLOAT_GREY_LEVEL as UNKNOWN_FLOAT_GREY_LEVEL
from lamella.records.images import BoneMasks as BoneMasks
from lamella.records.images import IntensityScale as IntensityScale
from lamella.records.images import LamellaError as LamellaError
from lamella.records.images import Layers as Layers
from lamella.records.images import Radiograph as Radiograph
from lamella.records.images import RunRecord as RunRecord
from lamella.records.images import SpacingSource as SpacingSource
from lamella.records.joint_space import BoneEnd as BoneEnd
from lamella.records.joint_space import JointFrame as JointFrame
from lamella.records.joint_space import JointSpace as JointSpace
from lamella.records.motion import RigidMotion as RigidMotion
from lamella.records.motion import Similarity as Similarity
from lamella.records.narrowing import JointVisit as JointVisit
from lamella.records.narrowing import Narrowing as Narrowing
from lamella.records.narrowing import RegisteredBone as RegisteredBone
from lamella.records.synthetic import Pose as Pose
from lamella.records.synthetic import SyntheticJoint as SyntheticJoint
