package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
)

// etcd is the store, run in this process and reached through a Unix socket: no door for other users or programs of the machine.
type etcd struct {
	server   *embed.Etcd
	endpoint string
	sockets  string
}

func startEtcd(dataDir string, durable bool) (*etcd, error) {
	// Paths of sockets are limited to about a hundred bytes, those of data directories aren't.
	sockets, err := os.MkdirTemp("", "fairlead-etcd-")
	if err != nil {
		return nil, err
	}
	clients := url.URL{Scheme: "unix", Path: filepath.Join(sockets, "client")}
	peers := url.URL{Scheme: "unix", Path: filepath.Join(sockets, "peer")}
	config := embed.NewConfig()
	config.Dir = filepath.Join(dataDir, "etcd")
	config.LogLevel = "error"
	config.UnsafeNoFsync = !durable
	config.EnableGRPCGateway = false
	config.ListenClientUrls, config.ListenPeerUrls = []url.URL{clients}, []url.URL{peers}
	// What other members and clients would be told; there are none.
	nowhere := []url.URL{{Scheme: "http", Host: "127.0.0.1:1"}}
	config.AdvertiseClientUrls, config.AdvertisePeerUrls = nowhere, nowhere
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		_ = os.RemoveAll(sockets)
		return nil, err
	}
	select {
	case <-server.Server.ReadyNotify():
	case err := <-server.Err():
		_ = os.RemoveAll(sockets)
		return nil, fmt.Errorf("did not become ready: %w", err)
	}
	return &etcd{server: server, endpoint: clients.String(), sockets: sockets}, nil
}

// compact drops the history before the newest revision, and returns that.
func (e *etcd) compact(ctx context.Context) (int64, error) {
	revision := e.server.Server.KV().Rev()
	_, err := e.server.Server.Compact(ctx, &pb.CompactionRequest{Revision: revision, Physical: true})
	return revision, err
}

func (e *etcd) close() {
	e.server.Close()
	_ = os.RemoveAll(e.sockets)
}
