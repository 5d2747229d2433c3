"""Teachers: a program for the world made here, an endpoint for anything else."""

from training.teachers.program import ProgramTeacher
from training.teachers.protocol import Teacher

__all__ = ["ProgramTeacher", "Teacher"]
