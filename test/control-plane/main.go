// Command control-plane is a small Kubernetes control plane in one process: the Kubernetes project's API-server libraries over an embedded
// etcd. It serves custom resources with the real code (structural schemas, defaulting, CEL, server-side apply, subresources, watch, dry-run)
// and the few built-in types that Fairlead's operator needs. There is no RBAC, no admission webhook, no TokenRequest, no garbage collection and
// no pod: it is for tests and for trying things out. See README.md beside this file.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
)

// options is what the command line says.
type options struct {
	dataDir        string
	port           int
	watchCache     bool
	durable        bool
	untilStdinEnds bool
}

func main() {
	opts := options{}
	flags := pflag.NewFlagSet("control-plane", pflag.ExitOnError)
	flags.StringVar(&opts.dataDir, "data-dir", "", "where etcd's data, the certificates, tokens.csv, kubeconfig and audit.log live; a second start on it goes on with the same")
	flags.IntVar(&opts.port, "port", 0, "port on 127.0.0.1; 0 takes the port of the last start on this data directory if it is free, else any")
	flags.BoolVar(&opts.watchCache, "watch-cache", true, "false makes every watch read etcd, so that a compaction (SIGUSR1) is felt at once as 410 Gone")
	flags.BoolVar(&opts.durable, "durable", true, "false never flushes etcd to disk: faster, and a crash of the machine (not of this process) may lose data")
	flags.BoolVar(&opts.untilStdinEnds, "until-stdin-ends", false, "stop when standard input is closed: whoever started us has gone")
	_ = flags.Parse(os.Args[1:])
	// Warnings of klog would go to files of their own otherwise.
	klog.LogToStderr(true)

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if opts.untilStdinEnds {
		go func() {
			for buffer := make([]byte, 64); ; {
				if _, err := os.Stdin.Read(buffer); err != nil {
					stop()
					return
				}
			}
		}()
	}
	if err := run(ctx, opts); err != nil {
		fmt.Fprintln(os.Stderr, "control-plane:", err)
		os.Exit(1)
	}
}

// run starts etcd and the API server, and serves until the context ends.
func run(ctx context.Context, opts options) error {
	if opts.dataDir == "" {
		return fmt.Errorf("--data-dir is missing")
	}
	if err := os.MkdirAll(opts.dataDir, 0o700); err != nil {
		return err
	}
	store, err := startEtcd(opts.dataDir, opts.durable)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer store.close()
	listener, err := listen(opts.dataDir, opts.port)
	if err != nil {
		return err
	}
	known, err := openIdentities(opts.dataDir, listener.Addr().String())
	if err != nil {
		return err
	}
	server, err := newServer(opts, store.endpoint, listener, known)
	if err != nil {
		return err
	}
	go compactOnSignal(ctx, store)
	return server.serve(ctx, func() {
		report("ready", map[string]any{"url": known.url, "kubeconfig": known.kubeconfigPath, "auditLog": server.auditLogPath})
	})
}

// compactOnSignal forgets all of etcd's history but the newest at every SIGUSR1.
func compactOnSignal(ctx context.Context, store *etcd) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			revision, err := store.compact(ctx)
			if err != nil {
				report("compaction failed", map[string]any{"error": err.Error()})
				continue
			}
			report("compacted", map[string]any{"revision": revision})
		}
	}
}

// report writes one JSON line to stdout; whoever started us reads it.
func report(event string, facts map[string]any) {
	facts["event"] = event
	line, err := json.Marshal(facts)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}
