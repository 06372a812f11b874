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
	sockets, err := socketFolder(dataDir)
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

// longestSocketFolder leaves room for a name in the path of a socket, which may have 104 bytes at most.
const longestSocketFolder = 90

// socketFolder is in the data directory, so that it goes with that after a kill, too; it is a temporary one where the directory's own path is too long for the path of a socket.
func socketFolder(dataDir string) (string, error) {
	inside, err := filepath.Abs(filepath.Join(dataDir, "sockets"))
	if err != nil {
		return "", err
	}
	if len(inside) > longestSocketFolder {
		return os.MkdirTemp("", "fairlead-etcd-")
	}
	return inside, os.MkdirAll(inside, 0o700)
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
