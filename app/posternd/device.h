/* What we use of a device, from what it says of itself: receive-side scaling, and frames large
 * enough for the port's MTU with VLAN tags. Called by ports.c at boot; no state, so that tests ask
 * about devices that nobody has here.
 */
#pragma once

#include <rte_ethdev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_RSS_KEY_MAX 128 /* bytes; no driver of DPDK 22.11 wants more than 52 */
#define DEVICE_TAG_BYTES 4

/* The kinds of flows (RTE_ETH_RSS_...) that the device is asked to hash: whatever it can of
 * addresses and ports of both families that is symmetric. 0: it has no use for us. */
uint64_t device_rss_hf(const struct rte_eth_dev_info *info);

/* A key under which both directions of a flow have one hash (Toeplitz, period of 16 bits: an
 * exchange of whole 16-bit words changes nothing). Returns its length for this device. */
uint8_t device_rss_key(const struct rte_eth_dev_info *info, uint8_t key[DEVICE_RSS_KEY_MAX]);

/* What the hash leaves out, for a note: "", or "IPv6", or "ports of IPv6", ... */
const char *device_rss_lacks(uint64_t hf);

/* The largest MTU that the device takes. */
uint16_t device_mtu_max(const struct rte_eth_dev_info *info);

/* The MTU to ask of the device, so that a packet of `mtu` bytes fits with so many tags: what the
 * device counts as Ethernet header may have no room for them. At least mtu; less than needed where
 * the device does not go so far: then *fits is false. */
uint16_t device_mtu(const struct rte_eth_dev_info *info, uint16_t mtu, unsigned tags, bool *fits);
