# SPDX-License-Identifier: LGPL-2.1-or-later
# A list of words as a table in C: -v list=NAME of the files NAME.txt and
# NAME.h, -v table=, words= and max= as that header has them. Whatever is no
# word ends the build.
BEGIN {
	print "/* SPDX-License-Identifier: LGPL-2.1-or-later */"
	print "/* Made from " list ".txt by table.awk. */"
	print "#include \"lib/words/" list ".h\""
	print ""
	print "const char " table "[" words "][" max "] = {"
}
!/^[a-z-]+$/ || length($0) >= max || seen[$0]++ {
	print FILENAME ":" FNR ": not a new word" > "/dev/stderr"
	bad = 1
	exit 1
}
{ print "\t\"" $0 "\"," }
END {
	if (bad || NR != words)
		exit 1
	print "};"
}
