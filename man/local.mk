# SPDX-License-Identifier: GPL-2.0-or-later

# The agents' pages come out of the agents' own tables.
man_MANS += man/ocf_claviger_master-secret.7 man/ocf_claviger_network-name.7
CLEANFILES += man/ocf_claviger_master-secret.7 man/ocf_claviger_network-name.7
man/ocf_claviger_master-secret.7: master-secret$(EXEEXT)
	$(AM_V_at)$(MKDIR_P) man
	$(AM_V_GEN)./master-secret$(EXEEXT) --man > $@.tmp && mv $@.tmp $@
man/ocf_claviger_network-name.7: network-name$(EXEEXT)
	$(AM_V_at)$(MKDIR_P) man
	$(AM_V_GEN)./network-name$(EXEEXT) --man > $@.tmp && mv $@.tmp $@

# clavigerd
dist_man_MANS += man/clavigerd.8

# claviger
dist_man_MANS += man/claviger.1 man/claviger-client.3 \
	man/claviger-formats.7 man/claviger-import.7 man/claviger-keyring.5 \
	man/claviger-troubleshooting.7 man/claviger.conf.5
