package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
)

const (
	namespaceControllerUser = "system:serviceaccount:kube-system:namespace-controller"
	// contentsFinalizer keeps a deleted namespace until its contents are gone. A kube-apiserver has a field of its own for that.
	contentsFinalizer = "control-plane.fairlead.dev/contents"
)

// prepareNamespace gives a new namespace what every namespace has.
func prepareNamespace(namespace *corev1.Namespace) {
	namespace.Status.Phase = corev1.NamespaceActive
	if !slices.Contains(namespace.Finalizers, contentsFinalizer) {
		namespace.Finalizers = append(namespace.Finalizers, contentsFinalizer)
	}
	if namespace.Labels == nil {
		namespace.Labels = map[string]string{}
	}
	namespace.Labels[corev1.LabelMetadataName] = namespace.Name
}

// terminating shows in a namespace's phase that it was deleted; it isn't stored.
func terminating(object runtime.Object) {
	switch typed := object.(type) {
	case *corev1.Namespace:
		if typed.DeletionTimestamp != nil {
			typed.Status.Phase = corev1.NamespaceTerminating
		}
	case *corev1.NamespaceList:
		for i := range typed.Items {
			terminating(&typed.Items[i])
		}
	}
}

// namespaceController empties namespaces that were deleted, which is the work of kube-controller-manager elsewhere.
type namespaceController struct {
	client    kubernetes.Interface
	dynamic   dynamic.Interface
	discovery discovery.DiscoveryInterface
	lister    corelisters.NamespaceLister
}

func newNamespaceController(loopback *rest.Config, token string, shared informers.SharedInformerFactory) (*namespaceController, error) {
	config := rest.CopyConfig(loopback)
	config.BearerToken = token
	config.UserAgent = "namespace-controller"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	anything, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &namespaceController{client, anything, client.Discovery(), shared.Core().V1().Namespaces().Lister()}, nil
}

// ensureDefault creates the namespaces that every cluster has.
func (c *namespaceController) ensureDefault(ctx context.Context) error {
	for _, name := range []string{"default", "kube-system"} {
		_, err := c.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

// run looks for deleted namespaces every quarter of a second, in memory.
func (c *namespaceController) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(250 * time.Millisecond):
		}
		all, err := c.lister.List(labels.Everything())
		if err != nil {
			continue
		}
		for _, namespace := range all {
			if namespace.DeletionTimestamp == nil || !slices.Contains(namespace.Finalizers, contentsFinalizer) {
				continue
			}
			if err := c.finish(ctx, namespace); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				fmt.Fprintf(os.Stderr, "control-plane: namespace %s: %v\n", namespace.Name, err)
			}
		}
	}
}

// finish deletes what is in a namespace; once nothing is left, the namespace goes too.
func (c *namespaceController) finish(ctx context.Context, namespace *corev1.Namespace) error {
	lists, err := c.discovery.ServerPreferredNamespacedResources()
	if err != nil {
		return err
	}
	left := 0
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return err
		}
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "deletecollection") {
				continue
			}
			contents := c.dynamic.Resource(version.WithResource(resource.Name)).Namespace(namespace.Name)
			items, err := contents.List(ctx, metav1.ListOptions{Limit: 1})
			if err != nil {
				return err
			}
			left += len(items.Items)
			if len(items.Items) == 0 {
				continue
			}
			if err := contents.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
				return err
			}
		}
	}
	if left > 0 {
		return nil
	}
	emptied := namespace.DeepCopy()
	emptied.Finalizers = slices.DeleteFunc(emptied.Finalizers, func(name string) bool { return name == contentsFinalizer })
	_, err = c.client.CoreV1().Namespaces().Update(ctx, emptied, metav1.UpdateOptions{})
	return err
}
