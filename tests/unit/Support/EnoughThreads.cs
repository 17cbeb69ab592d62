using System.Runtime.CompilerServices;

namespace Couic.Tests.Support;

/// <summary>
/// Here clients share the pool with the server that they test. While each processor's thread computes, a client would not go on for a second,
/// until the pool takes another thread, and would be given up as one that does not read.
/// </summary>
internal static class EnoughThreads
{
    [ModuleInitializer]
    internal static void Provide() => ThreadPool.SetMinThreads(16, 16);
}
