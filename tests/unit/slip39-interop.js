// SPDX-License-Identifier: GPL-2.0-or-later
// The npm package slip39 for slip39-interop.sh, with slip39-tool's arguments.
const Slip39 = require(process.env.SLIP39_MODULE);
const [what, ...rest] = process.argv.slice(2);

if (what === "split") {
	const [extendable, exponent, passphrase, hex, needed, ...groups] = rest;
	const slip = Slip39.fromArray([...Buffer.from(hex, "hex")], {
		passphrase,
		threshold: Number(needed),
		groups: groups.map((g) => [...g.split("/").map(Number), ""]),
		iterationExponent: Number(exponent),
		extendableBackupFlag: Number(extendable),
	});
	groups.forEach((_, g) => {
		slip.fromPath(`r/${g}`).mnemonics.forEach((words) =>
			console.log(`${g} ${words}`));
	});
} else {
	const shares = require("fs").readFileSync(0, "utf8").trim().split("\n");
	const secret = Slip39.recoverSecret(shares, rest[0]);
	console.log(Buffer.from(secret).toString("hex"));
}
