/*
 * broker.h: the files of the fleet's broker, made anew from the folders of its members: whoever has
 * a folder may connect, nobody else.
 */
#ifndef DUN_PROVISION_BROKER_H
#define DUN_PROVISION_BROKER_H

#include "fleet.h"

/* Writes what is not as it shall be: configuration, certificate, access list, password file, list
 * of what is revoked. False after a line on stderr. */
bool dun_broker_write(const struct dun_fleet *fleet);

#endif
