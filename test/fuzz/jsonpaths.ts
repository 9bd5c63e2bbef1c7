/** One a line: no path at all, half of one, what means something only within a filter, and what is costly. */
const lines = String.raw`0 0
$[
\
\\
@
last
 
$.
$..a
$[*
$ ?
$ ? (
$ ? (@
{
}
"
'
$.a ==
==
1 +
-
+$
()
!($.a)
$x
$$
lax
strict $
$[last
$.a.b(
$.datetime(
$.datetime("YYYY")
$ like_regex
$ ? (@ like_regex "(")
$ ? (@ like_regex "a" flag "x")
$.a ? (@ like_regex "(a+)+$")
$.**{
$.**
$.** ? (@ == 1)
$[0 to last]
$.a[last]
$."\u0000"
null
null null
%
@ == 1
@.a == 1
last == 1
$ ? (last == 1)
$.a[*] ? (@.b == last)
$.a.type()
$.keyvalue()
$.double()
$.a ? (exists (@.b))
$.a == 1`;

export const jsonpaths: readonly string[] = [
  ...lines.split('\n'),
  '',
  '\u0000',
  '\uD800',
  '$'.repeat(10_000),
  `${'('.repeat(5_000)}$`,
  '!'.repeat(20_000),
];
