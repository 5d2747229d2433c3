"""Arithmetic, number theory and sequences."""

from __future__ import annotations

from training.world.atoms.atom import Atom as A

N = ("n",)
NN = ("n", "n")
NUM = "numbers"

NUMBERS: tuple[A, ...] = (
    A("factorial", NUM, ("smalln",), "int",
      ("result = 1", "for i in range(2, {0} + 1):", "    result *= i", "return result"),
      ("the factorial of {0}", "{0} factorial", "!compute the factorial of {0}",
       "the product of all integers from 1 to {0}", "!multiply all numbers from 1 to {0}"),
      ("Start result at 1.", "Multiply by i from 2 to {0}.", "Return result."),
      formulas=("n! = 1 * 2 * ... * n",)),
    A("fibonacci", NUM, N, "int",
      ("a, b = 0, 1", "for _ in range({0}):", "    a, b = b, a + b", "return a"),
      ("the {0}-th Fibonacci number", "the Fibonacci number with index {0}", "!compute the {0}th Fibonacci number",
       "the nth number of the Fibonacci sequence for n = {0}"),
      ("Start with a, b = 0, 1.", "{0} times: a, b = b, a + b.", "Return a."),
      formulas=("F(n) = F(n-1) + F(n-2)",)),
    A("gcd", NUM, NN, "int",
      ("while {1}:", "    {0}, {1} = {1}, {0} % {1}", "return {0}"),
      ("the greatest common divisor of {0} and {1}", "the gcd of {0} and {1}",
       "the largest number that divides both {0} and {1}", "!find the greatest common divisor of {0} and {1}",
       "the highest common factor of {0} and {1}"),
      ("While {1} is not 0: {0}, {1} = {1}, {0} % {1}.", "Return {0}."),
      formulas=("gcd(a, b) = gcd(b, a % b)",)),
    A("is_prime", NUM, N, "bool",
      ("if {0} < 2:", "    return False", "for d in range(2, int({0} ** 0.5) + 1):",
       "    if {0} % d == 0:", "        return False", "return True"),
      ("?{0} is prime", "?{0} is a prime number", "?{0} has no divisors except 1 and itself",
       "!test {0} for primality"),
      ("If {0} < 2, return False.", "For d from 2 to the root of {0}: if {0} % d == 0, return False.",
       "Return True.")),
)
