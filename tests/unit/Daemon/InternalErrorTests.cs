using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Couic.Logging.Abstractions;
using Couic.Native;
using Xunit;

namespace Couic.Tests.Daemon;

/// <summary>Throws at every place of the running daemon. Alone, as it throws in the whole process.</summary>
[Collection(nameof(Alone))]
public sealed class InternalErrorTests : IDisposable
{
    private const int SigHup = 1;

    /// <summary>Places that do not run periodically; each has its own test below, except the one after which the process ends.</summary>
    private static readonly Place[] NotTurns = [Place.Stop, Place.UnobservedTask, Place.Unhandled, Place.Events];

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [CollectionDefinition(nameof(Alone), DisableParallelization = true)]
    public sealed class Alone;

    public void Dispose() => InternalErrors.Entered = null;

    [Fact]
    public void EveryPlace_HasADistinctName()
    {
        Place[] places = Enum.GetValues<Place>();
        Assert.Equal(places.Length, places.Select(place => place.Name()).Distinct().Count());
        Assert.All(places, place => Assert.Matches("^[a-z_]+$", place.Name()));
    }

    [Fact]
    public void ExceptionAtAnyPlace_IsCounted_AndThePlaceContinues()
    {
        using HostRig rig = StartWatched();

        // Requests to peers first: while they fail they become rarer and rarer.
        foreach (Place place in Enum.GetValues<Place>().Except(NotTurns).OrderBy(place => place != Place.PeerRequest))
        {
            long before = InternalErrors.Count(place);
            int visits = 0;
            InternalErrors.Entered = entered =>
            {
                if (entered == place && Interlocked.Increment(ref visits) == 1)
                {
                    throw new InvalidOperationException($"the test threw at {place}");
                }
            };
            Await(() => Volatile.Read(ref visits) >= 2, $"{place} continues", rig);
            InternalErrors.Entered = null;
            Assert.True(InternalErrors.Count(place) > before, $"{place} is counted");
            Await(() => rig.Get("/v1/ready")?.StartsWith("HTTP/1.1 ", StringComparison.Ordinal) == true, $"the API answers after {place}", rig);
            Assert.False(rig.Ended.IsCompleted, $"{place} ended the daemon");
        }
    }

    [Fact]
    public async Task ExceptionInTheThreadOfEvents_IsCounted_AndLosesNoEvent()
    {
        using var rig = new Api.ApiRig();
        using Api.Events.EventReader reader = await Api.Events.EventReader.ListenAsync(rig);
        long before = InternalErrors.Count(Place.Events);
        int visits = 0;
        InternalErrors.Entered = entered =>
        {
            if (entered == Place.Events && Interlocked.Increment(ref visits) == 1)
            {
                throw new InvalidOperationException("as the test asked");
            }
        };
        await rig.SendAsync("POST", "/v1/drop", """{"cidr":"192.0.2.7/32","tag":null,"expiration":0}""");
        Assert.Equal("192.0.2.7/32", await reader.NextAsync("cidr"));
        Assert.True(InternalErrors.Count(Place.Events) > before);
    }

    [Fact]
    public async Task ApiLoopThatCannotContinue_EndsTheDaemonWithAFailure()
    {
        using HostRig rig = StartWatched();
        InternalErrors.Entered = static entered =>
        {
            if (entered == Place.ApiLoop)
            {
                throw new InvalidOperationException("as the test asked");
            }
        };
        Assert.False(await rig.Ended.WaitAsync(Patience, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void ExceptionInEveryStopStep_DoesNotPreventTheEnd()
    {
        HostRig rig = StartWatched();
        long before = InternalErrors.Count(Place.Stop);
        InternalErrors.Entered = static entered =>
        {
            if (entered == Place.Stop)
            {
                throw new InvalidOperationException("as the test asked");
            }
        };
        rig.Dispose();
        Assert.True(InternalErrors.Count(Place.Stop) >= before + 5);
    }

    [Fact]
    public void UnobservedException_IsCounted()
    {
        using HostRig rig = StartWatched();
        long before = InternalErrors.Count(Place.UnobservedTask);
        Await(
            () =>
            {
                Forget();
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return InternalErrors.Count(Place.UnobservedTask) > before;
            },
            "it is counted", rig);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget() => _ = Task.FromException(new InvalidOperationException("as the test asked"));

    /// <summary>A daemon whom a service manager watches.</summary>
    private static HostRig StartWatched()
    {
        string path = Path.Combine(Path.GetTempPath(), $"couic-notify-{Guid.NewGuid():N}");
        var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(path));
        _ = Task.Run(() => Swallow(manager));
        Environment.SetEnvironmentVariable("NOTIFY_SOCKET", path);
        Environment.SetEnvironmentVariable("WATCHDOG_USEC", "200000");
        try
        {
            return new HostRig(keeps: true);
        }
        finally
        {
            Environment.SetEnvironmentVariable("NOTIFY_SOCKET", null);
            Environment.SetEnvironmentVariable("WATCHDOG_USEC", null);
            File.Delete(path);
        }
    }

    private static void Swallow(Socket manager)
    {
        var message = new byte[1024];
        while (manager.Receive(message) >= 0)
        {
        }
    }

    /// <summary>Keeps the daemon busy with requests and reloads.</summary>
    private static void Await(Func<bool> isTrue, string what, HostRig rig)
    {
        long end = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        while (!isTrue())
        {
            Assert.True(Environment.TickCount64 < end, what);
            rig.Get("/v1/ready");
            Signals.Send(Environment.ProcessId, SigHup);
            Thread.Sleep(20);
        }
    }
}
