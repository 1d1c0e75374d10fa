# SPDX-License-Identifier: LGPL-2.1-or-later
# A list of words as a table in C. Whatever is no word ends the build.
BEGIN {
	print "/* SPDX-License-Identifier: LGPL-2.1-or-later */"
	print "/* Made from eff_large.txt by table.awk. */"
	print "#include \"lib/words/eff_large.h\""
	print ""
	print "const char clv__words[CLV__WORDS][CLV__WORD_MAX] = {"
}
!/^[a-z-]+$/ || length($0) > 9 || seen[$0]++ {
	print FILENAME ":" FNR ": not a new word" > "/dev/stderr"
	bad = 1
	exit 1
}
{ print "\t\"" $0 "\"," }
END {
	if (bad || NR != 7776)
		exit 1
	print "};"
}
