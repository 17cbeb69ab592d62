using Couic.Native;

namespace Couic.Demo;

/// <summary>Two network namespaces and the veth pair between them. They end with the process.</summary>
internal sealed class DemoNetwork : IDisposable
{
    public const string InnerInterface = "inner";
    public const string OuterInterface = "outer";

    /// <exception cref="UnauthorizedAccessException">Not root.</exception>
    /// <exception cref="IOException">The kernel has no namespaces or no veth.</exception>
    public DemoNetwork()
    {
        Inside = new NetworkNamespace();
        Outside = new NetworkNamespace();
        Outside.Run(() => VethPair.Create(OuterInterface, InnerInterface, Inside.Handle!));
        Outside.Run(() => VethPair.SetUp(OuterInterface));
        Inside.Run(() => VethPair.SetUp(InnerInterface));
    }

    /// <summary>The protected machine.</summary>
    public NetworkNamespace Inside { get; }

    /// <summary>The origin of the packets.</summary>
    public NetworkNamespace Outside { get; }

    public void Dispose()
    {
        Outside.Dispose();
        Inside.Dispose();
    }
}
