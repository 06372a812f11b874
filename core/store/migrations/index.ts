import { Foundation1795380000001 } from './0001-foundation.js';
import { OAuth1795380000002 } from './0002-oauth.js';
import { TokenVouchers1795380000003 } from './0003-token-vouchers.js';
import { Schedule1795380000004 } from './0004-schedule.js';
import { PartitionsAndKeys1795380000005 } from './0005-partitions-and-keys.js';
import { Assignments1795380000006 } from './0006-assignments.js';
import { Mirror1795380000007 } from './0007-mirror.js';
import { Owners1795380000008 } from './0008-owners.js';
import { SecretPlaces1795380000009 } from './0009-secret-places.js';
import { ClientPlaces1795380000010 } from './0010-client-places.js';

/** Every migration, oldest first: an explicit list, so that nothing is found by accident. */
export const MIGRATIONS = [
  Foundation1795380000001, OAuth1795380000002, TokenVouchers1795380000003, Schedule1795380000004, PartitionsAndKeys1795380000005, Assignments1795380000006, Mirror1795380000007,
  Owners1795380000008,
  SecretPlaces1795380000009, ClientPlaces1795380000010,
];
