package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apiserver"
	extensionoptions "k8s.io/apiextensions-apiserver/pkg/cmd/server/options"
	generatedopenapi "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle"
	auditapi "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/request/bearertoken"
	"k8s.io/apiserver/pkg/authentication/token/tokenfile"
	tokenunion "k8s.io/apiserver/pkg/authentication/token/union"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/util/openapi"
	"k8s.io/apiserver/pkg/util/webhook"
	auditlog "k8s.io/apiserver/plugin/pkg/audit/log"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// server is the API server, not yet serving.
type server struct {
	generic      *genericapiserver.GenericAPIServer
	loopback     *rest.Config
	namespaces   *namespaceController
	informers    informers.SharedInformerFactory
	auditLogPath string
}

// newServer configures the API server of the extension library, as its own command does, but for what that expects of a kube-apiserver beside it:
// authentication, authorization and admission are wired by hand, discovery is switched on again, and the built-in types are added.
func newServer(opts options, etcdEndpoint string, listener net.Listener, known *identities) (*server, error) {
	o := extensionoptions.NewCustomResourceDefinitionsServerOptions(os.Stdout, os.Stderr)
	r := o.RecommendedOptions
	// Their informers would wait for a kube-apiserver for ever.
	r.Authentication, r.Authorization, r.CoreAPI, r.Admission = nil, nil, nil, nil
	r.Features.EnablePriorityAndFairness = false
	r.Etcd.StorageConfig.Transport.ServerList = []string{etcdEndpoint}
	r.Etcd.EnableWatchCache = opts.watchCache
	r.SecureServing.Listener = listener
	r.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
	r.SecureServing.BindAddress = net.IPv4(127, 0, 0, 1)
	r.SecureServing.ServerCert.CertKey.CertFile, r.SecureServing.ServerCert.CertKey.KeyFile = known.certFile, known.keyFile
	if err := o.ServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return nil, err
	}
	if err := o.Complete(); err != nil {
		return nil, err
	}

	config := genericapiserver.NewRecommendedConfig(apiextensions.Codecs)
	if err := o.ServerRunOptions.ApplyTo(&config.Config); err != nil {
		return nil, err
	}
	if err := r.Etcd.ApplyTo(&config.Config); err != nil {
		return nil, err
	}
	if err := r.SecureServing.ApplyToConfig(&config.Config); err != nil {
		return nil, err
	}
	if err := r.Features.ApplyTo(&config.Config, nil, nil); err != nil {
		return nil, err
	}
	if err := o.APIEnablement.ApplyTo(&config.Config, apiextensions.DefaultAPIResourceConfigSource(), apiextensions.Scheme); err != nil {
		return nil, err
	}
	namespaceToken, err := authenticate(&config.Config, known.tokenFile)
	if err != nil {
		return nil, err
	}
	auditLogPath := filepath.Join(opts.dataDir, "audit.log")
	if err := logRequests(&config.Config, auditLogPath); err != nil {
		return nil, err
	}
	shared, err := admit(&config.Config)
	if err != nil {
		return nil, err
	}
	definitions := withBuiltIns(openapi.GetOpenAPIDefinitionsWithoutDisabledFeatures(generatedopenapi.GetOpenAPIDefinitions))
	namer := openapinamer.NewDefinitionNamer(apiextensions.Scheme, builtInScheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)

	extension := (&apiextensions.Config{GenericConfig: config, ExtraConfig: apiextensions.ExtraConfig{
		CRDRESTOptionsGetter: extensionoptions.NewCRDRESTOptionsGetter(*r.Etcd, config.ResourceTransformers, config.StorageObjectCountTracker),
		ServiceResolver:      noServices{},
		AuthResolverWrapper:  webhook.NewDefaultAuthenticationInfoResolverWrapper(nil, nil, config.LoopbackClientConfig, noop.NewTracerProvider()),
	}}).Complete()
	// Complete() turns it off, because in a kube-apiserver the aggregator serves /apis.
	extension.GenericConfig.EnableDiscovery = true
	running, err := extension.New(genericapiserver.NewEmptyDelegate())
	if err != nil {
		return nil, err
	}
	if err := listGroups(running); err != nil {
		return nil, err
	}
	if err := installBuiltIns(running.GenericAPIServer, *r.Etcd); err != nil {
		return nil, err
	}
	namespaces, err := newNamespaceController(config.LoopbackClientConfig, namespaceToken, shared)
	if err != nil {
		return nil, err
	}
	return &server{generic: running.GenericAPIServer, loopback: config.LoopbackClientConfig, namespaces: namespaces, informers: shared, auditLogPath: auditLogPath}, nil
}

// authenticate knows users by their tokens alone, and lets every one of them do everything: who may do what is for a real kube-apiserver to decide.
// It returns the token of the namespace controller, which lives as long as this process.
func authenticate(config *genericapiserver.Config, tokenFile string) (string, error) {
	fromFile, err := tokenfile.NewCSV(tokenFile)
	if err != nil {
		return "", err
	}
	token, err := randomToken()
	if err != nil {
		return "", err
	}
	own := authenticator.TokenFunc(func(_ context.Context, given string) (*authenticator.Response, bool, error) {
		if given != token {
			return nil, false, nil
		}
		return &authenticator.Response{User: &user.DefaultInfo{Name: namespaceControllerUser, Groups: []string{"system:serviceaccounts"}}}, true, nil
	})
	config.Authentication.Authenticator = group.NewAuthenticatedGroupAdder(bearertoken.New(tokenunion.New(fromFile, own)))
	config.Authorization.Authorizer = authorizerfactory.NewAlwaysAllowAuthorizer()
	return token, nil
}

// logRequests writes the API server's own audit log at level Metadata (no bodies): one line for a request, when it has been answered, and one for a
// watch when it begins and one when it ends. https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/
func logRequests(config *genericapiserver.Config, path string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	config.AuditBackend = auditlog.NewBackend(file, auditlog.FormatJson, auditv1.SchemeGroupVersion)
	config.AuditPolicyRuleEvaluator = policy.NewPolicyRuleEvaluator(&auditapi.Policy{
		OmitStages: []auditapi.Stage{auditapi.StageRequestReceived},
		// What the server asks of itself is nobody's business.
		Rules: []auditapi.PolicyRule{{Level: auditapi.LevelNone, Users: []string{user.APIServerUser}}, {Level: auditapi.LevelMetadata}},
	})
	return nil
}

// admit refuses what has no namespace to live in, with the plug-in of the real thing.
func admit(config *genericapiserver.Config) (informers.SharedInformerFactory, error) {
	client, err := kubernetes.NewForConfig(config.LoopbackClientConfig)
	if err != nil {
		return nil, err
	}
	shared := informers.NewSharedInformerFactory(client, 0)
	namespaced, err := lifecycle.NewLifecycle(sets.New("default"))
	if err != nil {
		return nil, err
	}
	namespaced.SetExternalKubeClientSet(client)
	namespaced.SetExternalKubeInformerFactory(shared)
	config.AdmissionControl = admission.NewChainHandler(namespaced)
	return shared, nil
}

// serve runs until the context ends; ready is called once, when requests are answered and the namespace `default` exists.
func (s *server) serve(ctx context.Context, ready func()) error {
	// What follows waits for a server that is serving, so it runs beside it.
	go func() {
		if err := s.waitUntilReady(ctx); err != nil {
			return
		}
		s.informers.Start(ctx.Done())
		s.informers.WaitForCacheSync(ctx.Done())
		if err := s.namespaces.ensureDefault(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "control-plane:", err)
			return
		}
		go s.namespaces.run(ctx)
		ready()
	}()
	// Open watches would hold a stop for a minute otherwise.
	s.generic.ShutdownTimeout = time.Second
	return s.generic.PrepareRun().RunWithContext(ctx)
}

func (s *server) waitUntilReady(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(s.loopback)
	if err != nil {
		return err
	}
	for {
		if err := client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// noServices answers the look-up of webhooks: there is none.
type noServices struct{}

func (noServices) ResolveEndpoint(string, string, int32) (*url.URL, error) {
	return nil, fmt.Errorf("this control plane has no services")
}
