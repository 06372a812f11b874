import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { startApiForTest, type TestApi, type TestMember } from '#test/support/api.js';
