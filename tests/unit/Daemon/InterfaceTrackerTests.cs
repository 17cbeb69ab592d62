using Couic.Bpf;
using Couic.Daemon;
using Couic.Native;
using Couic.Tests.Fakes;
using Xunit;

namespace Couic.Tests.Daemon;

/// <summary>What the attacher does when interfaces come, go and change, against a machine that is a list.</summary>
public sealed class InterfaceTrackerTests
{
    private const uint Ours = 77;

    private readonly Machine _machine = new();
    private readonly ManualClock _time = new();

    [Fact]
    public void MissingInterface_DoesNotPreventTheOthersFromBeingAttached()
    {
        _machine.Add("eth0", 2);
        using InterfaceTracker tracker = Track("wg0", "eth0");
        Assert.Equal(["wg0 wg0 Missing", "eth0 eth0 Attached"], Poll(tracker));
        _machine.Add("wg0", 9);
        Assert.Equal(["wg0 wg0 Attached", "eth0 eth0 Attached"], Poll(tracker));
        Assert.Equal([2, 9], _machine.Attached);
    }

    [Fact]
    public void RequireAll_OneMissing_LeavesNothingAttached()
    {
        _machine.Add("eth0", 2);
        using InterfaceTracker tracker = Track("eth0", "wg0");
        Assert.Equal(["eth0 eth0 Attached", "wg0 wg0 Missing"], Show(tracker.PollAllOrNone()));
        Assert.Empty(_machine.Attached);
    }

    [Fact]
    public void RenamedInterface_StaysAttached_UnderBothNames()
    {
        _machine.Add("eth0", 2);
        using InterfaceTracker tracker = Track("eth0");
        Poll(tracker);
        _machine.Rename(2, "foo");
        Assert.Equal(["eth0 foo Attached"], Poll(tracker));
        Assert.Equal(1, _machine.Attempts);
        _machine.Add("eth0", 5);
        Assert.Equal(["eth0 eth0 Attached", "eth0 foo Attached"], Poll(tracker));
        Assert.Equal([2, 5], _machine.Attached);
        _machine.Remove(2);
        Assert.Equal(["eth0 eth0 Attached"], Poll(tracker));
    }

    [Fact]
    public void SwappedNames_StayAttached_EachUnderItsNewName()
    {
        _machine.Add("eth0", 2);
        _machine.Add("eth1", 3);
        using InterfaceTracker tracker = Track("eth0", "eth1");
        Poll(tracker);
        _machine.Rename(2, "tmp");
        _machine.Rename(3, "eth0");
        _machine.Rename(2, "eth1");
        Assert.Equal([("eth0", 3), ("eth1", 2)], tracker.Poll().Select(s => (s.Configured, s.Index)));
        Assert.Equal(2, _machine.Attempts);
    }

    [Fact]
    public void AlternativeName_LeadsToTheInterface()
    {
        _machine.Add("eth0", 2, "uplink-with-a-long-name");
        using InterfaceTracker tracker = Track("uplink-with-a-long-name", "eth0");
        Assert.Equal(["uplink-with-a-long-name eth0 Attached", "eth0 eth0 Attached"], Poll(tracker));
        Assert.Equal(1, _machine.Attempts);
    }

    [Fact]
    public void RecreatedInterface_IsAttachedAgain_AlsoUnderTheSameIndex()
    {
        _machine.Add("eth0", 2);
        using InterfaceTracker tracker = Track("eth0");
        Poll(tracker);
        foreach (int index in (int[])[7, 7, 2])
        {
            _machine.Remove(_machine.IndexOf("eth0"));
            _machine.Add("eth0", index);
            Assert.Equal(["eth0 eth0 Attached"], Poll(tracker));
            Assert.Equal([index], _machine.Attached);
        }
    }

    [Fact]
    public void DetachedProgram_IsAttachedAgain_AndCounted()
    {
        _machine.Add("eth0", 2);
        using InterfaceTracker tracker = Track("eth0");
        uint first = tracker.Poll()[0].Attachment;
        Assert.Equal(first, tracker.Poll()[0].Attachment);
        _machine.Carry(2, 0);
        Assert.NotEqual(first, tracker.Poll()[0].Attachment);
        Assert.Equal([2], _machine.Attached);
    }

    [Fact]
    public void AnotherProgram_IsLeftAlone_AndTheInterfaceAttachedWhenItIsFree()
    {
        _machine.Add("eth0", 2);
        _machine.Carry(2, 5);
        using InterfaceTracker tracker = Track("eth0");
        Assert.Equal(["eth0 eth0 Taken"], Poll(tracker));
        _machine.Carry(2, 0);
        Assert.Equal(["eth0 eth0 Attached"], Poll(tracker));
    }

    [Fact]
    public void FailedAttachment_IsRetriedWithGrowingIntervals_AndAtOnceWhenTheInterfaceChanges()
    {
        _machine.Add("eth0", 2);
        _machine.Refusal = Errno.EOPNOTSUPP;
        using InterfaceTracker tracker = Track("eth0");
        for (int second = 0; second < 3600; second++)
        {
            Assert.Equal(["eth0 eth0 Failed"], Poll(tracker));
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.InRange(_machine.Attempts, 60, 70); // 1, 2, 4 ... 64, then once a minute
        _machine.SetUp(2);
        _machine.Refusal = Errno.None;
        Assert.Equal(["eth0 eth0 Attached"], Poll(tracker));
    }

    [Theory]
    [InlineData(Errno.ENOMEM)]
    [InlineData(Errno.EAGAIN)]
    [InlineData(Errno.EPERM)]
    public void KernelError_DoesNotCountAsAMissingInterface(Errno trouble)
    {
        _machine.Add("eth0", 2);
        using InterfaceTracker tracker = Track("eth0", "wg0");
        Poll(tracker);
        _machine.Trouble = trouble;
        Assert.Equal(["eth0 eth0 Attached", "wg0 wg0 Failed"], Poll(tracker));
        Assert.Equal([2], _machine.Attached);
        _machine.Trouble = Errno.None;
        Assert.Equal(["eth0 eth0 Attached", "wg0 wg0 Missing"], Poll(tracker));
        Assert.Equal(1, _machine.Attempts);
    }

    [Fact]
    public void RenamedInterfaces_AreFollowedUpToABound()
    {
        using InterfaceTracker tracker = Track("eth0");
        for (int i = 1; i <= InterfaceTracker.MaxRenamed + 10; i++)
        {
            _machine.Add("eth0", i);
            Poll(tracker);
            _machine.Rename(i, $"c{i}");
        }

        IReadOnlyList<InterfaceState> states = tracker.Poll();
        Assert.Equal(InterfaceTracker.MaxRenamed, states.Count);
        Assert.Equal(states.Select(s => s.Index).Order(), _machine.Attached);
        Assert.Equal(11, _machine.Attached.Min());
    }

    [Fact]
    public void AttachmentOfAnotherProcess_IsTakenOver_WithoutAttachingAgain()
    {
        _machine.Add("eth0", 2);
        _machine.Add("renamed", 3);
        _machine.Carry(2, Ours);
        _machine.Carry(3, Ours);
        using InterfaceTracker tracker = Track("eth0");
        tracker.Adopt("renamed", _machine.Get(3));
        Assert.Equal(["eth0 eth0 Attached", "renamed renamed Attached"], Poll(tracker));
        Assert.Equal(0, _machine.Attempts);
    }

    [Fact]
    public void LinksOfAnEarlierProcess_AreTakenOver()
    {
        _machine.Add("eth0", 2);
        _machine.Add("eth1", 3);
        _machine.Keep(2);
        using InterfaceTracker tracker = Track("eth0", "eth1");
        Assert.Equal([("eth0", true), ("eth1", false)], tracker.Poll().Select(s => (s.Name, s.IsTakenOver)));
        Assert.Equal([2, 3], _machine.Attached);
    }

    [Fact]
    public void RequireAll_OneMissing_LeavesTheLinksOfAnEarlierProcessAsTheyWere()
    {
        _machine.Add("eth0", 2);
        _machine.Add("eth1", 3);
        _machine.Keep(2);
        using InterfaceTracker tracker = Track("eth0", "eth1", "wg0");
        Assert.Equal(["eth0 eth0 Attached", "eth1 eth1 Attached", "wg0 wg0 Missing"], Show(tracker.PollAllOrNone()));
        Assert.Equal((Machine.Earlier, 0u), (_machine.Get(2).XdpProgram, _machine.Get(3).XdpProgram));
        _machine.Add("wg0", 9);
        Assert.Equal(["eth0 eth0 Attached", "eth1 eth1 Attached", "wg0 wg0 Attached"], Show(tracker.PollAllOrNone()));
        Assert.Equal([2, 3, 9], _machine.Attached);
    }

    [Fact]
    public void Disposed_ItLeavesWhatOthersHold_AndDetachAllDoesNot()
    {
        _machine.Add("eth0", 2);
        _machine.HoldsElsewhere = true;
        InterfaceTracker tracker = Track("eth0");
        tracker.Poll();
        tracker.Dispose();
        Assert.Equal([2], _machine.Attached);
        using InterfaceTracker next = Track("eth0");
        next.Poll();
        next.DetachAll();
        Assert.Empty(_machine.Attached);
    }

    private InterfaceTracker Track(params string[] names) => new(_machine, names, _time);

    private static IEnumerable<string> Poll(InterfaceTracker tracker) => Show(tracker.Poll());

    private static IEnumerable<string> Show(IEnumerable<InterfaceState> states) => [.. states.Select(s => $"{s.Configured} {s.Name} {s.State}")];

    private sealed class Machine : IInterfaceTable
    {
        private readonly Dictionary<int, NetworkInterface> _interfaces = [];

        public Errno Trouble { get; set; }

        public Errno Refusal { get; set; }

        public int Attempts { get; private set; }

        public IEnumerable<int> Attached => _interfaces.Values.Where(i => i.XdpProgram == Ours).Select(i => i.Index).Order();

        public void Add(string name, int index, params string[] alternatives) =>
            _interfaces.Add(index, new NetworkInterface(name, index, 1, false, 0, 0, 1500) { AlternativeNames = alternatives });

        public void Remove(int index) => _interfaces.Remove(index);

        public void Rename(int index, string name) => _interfaces[index] = _interfaces[index] with { Name = name };

        public void SetUp(int index) => _interfaces[index] = _interfaces[index] with { IsUp = true };

        public void Carry(int index, uint program) =>
            _interfaces[index] = _interfaces[index] with { XdpProgram = program, XdpAttached = (byte)(program == 0 ? 0 : 2) };

        public NetworkInterface Get(int index) => _interfaces[index];

        public int IndexOf(string name) => _interfaces.Values.Single(i => i.Name == name).Index;

        public Errno Find(string name, out NetworkInterface found)
        {
            found = _interfaces.Values.FirstOrDefault(i => i.Name == name || i.AlternativeNames.Contains(name));
            return Trouble != Errno.None ? Trouble : found.Name is null ? Errno.ENODEV : Errno.None;
        }

        public Errno Find(int index, out NetworkInterface found)
        {
            bool there = _interfaces.TryGetValue(index, out found);
            return Trouble != Errno.None ? Trouble : there ? Errno.None : Errno.ENODEV;
        }

        public bool IsOurs(in NetworkInterface found) => found.Carries(Ours);

        public Attachment Attach(in NetworkInterface target)
        {
            Attempts++;
            if (IsKept(target))
            {
                Carry(target.Index, Ours);
                return Adopt(target) with { IsTakenOver = true };
            }

            if (target.XdpProgram != 0 || Refusal != Errno.None)
            {
                throw new BpfException("refused", target.XdpProgram != 0 ? Errno.EBUSY : Refusal);
            }

            Carry(target.Index, Ours);
            return new Attachment(XdpMode.Generic, Ours, null, new Detaching(this, target.Index));
        }

        /// <summary>The program of an earlier process, whose link is kept.</summary>
        public const uint Earlier = 66;

        /// <summary>Whether a link is held elsewhere, too: closing it does not detach.</summary>
        public bool HoldsElsewhere { get; set; }

        public void Keep(int index) => Carry(index, Earlier);

        public bool IsKept(in NetworkInterface found) => found.XdpProgram == Earlier;

        public void Detach(Attachment attachment) => ((Detaching)attachment.Hold!).Detach();

        public Attachment Adopt(in NetworkInterface target) => new(XdpMode.Generic, Ours, null, new Detaching(this, target.Index));

        private sealed class Detaching(Machine machine, int index) : IDisposable
        {
            public void Dispose()
            {
                if (!machine.HoldsElsewhere)
                {
                    Detach();
                }
            }

            public void Detach()
            {
                if (machine._interfaces.ContainsKey(index))
                {
                    machine.Carry(index, 0);
                }
            }
        }
    }
}
