using System.Text;
using Couic.Native;
using Couic.Store;

namespace Couic.Sets;

/// <summary>What all set files together want, as it is read from the folder, and what is wrong with them.</summary>
internal sealed class SetImages(SetDirectory directory) : IDisposable
{
    /// <summary>One for all files, so that reading them leaves nothing to collect.</summary>
    private readonly ScratchMemory _buffer = new(SetFile.MaxBytes + 1);

    public SetImage Ignore { get; private set; } = new(Policy.Ignore);

    public SetImage Drop { get; private set; } = new(Policy.Drop);

    /// <summary>Files that were read, bad ones included.</summary>
    public int Count { get; private set; }

    public List<SetFault> Faults { get; } = [];

    /// <summary>Names of sets with IPv4-mapped networks, and how many; those match no IPv4 packet.</summary>
    public List<(string Path, int Count)> Mapped { get; } = [];

    /// <summary>Whether a file could not be read at all, which is nobody's typing error.</summary>
    public bool HasFailed { get; private set; }

    public void Dispose() => _buffer.Dispose();

    public SetImage Of(Policy policy) => policy == Policy.Ignore ? Ignore : Drop;

    /// <summary>Reads every file; a bad one adds to <see cref="Faults"/> and nothing to the images.</summary>
    /// <exception cref="IOException">A folder cannot be read.</exception>
    public void Read()
    {
        foreach (Policy policy in Policies.All)
        {
            foreach (string name in directory.Names(policy))
            {
                ReadSet(policy, name);
            }
        }
    }

    /// <summary>Takes sets that do not fit into the tables out, in the order of their names, so that the rest can be loaded.</summary>
    public void LeaveOutWhatDoesNotFit(StoreLimits limits)
    {
        Ignore = new SetImage(Policy.Ignore);
        Drop = new SetImage(Policy.Drop);
        foreach (Policy policy in Policies.All)
        {
            var networks = new HashSet<Cidr>();
            int[] counts = new int[2];
            foreach (string name in directory.Names(policy))
            {
                if (directory.ReadText(policy, name, _buffer.Bytes, out int length).Outcome == SetOutcome.Ok
                    && CheckText(policy, name, _buffer.Bytes[..length], tell: false))
                {
                    Fit(policy, name, _buffer.Bytes[..length], networks, counts, limits);
                }
            }
        }
    }

    private void ReadSet(Policy policy, string name)
    {
        SetResult result = directory.ReadText(policy, name, _buffer.Bytes, out int length);
        ReadOnlySpan<byte> content = _buffer.Bytes[..length];
        if (result.Outcome == SetOutcome.Absent)
        {
            return; // deleted since the folder was listed
        }

        Count++;
        if (result.Outcome != SetOutcome.Ok)
        {
            HasFailed |= result.Outcome == SetOutcome.Failed;
            Faults.Add(new SetFault(directory.PathOf(policy, name), 0, string.Empty, result.Message));
        }
        else if (CheckText(policy, name, content, tell: true))
        {
            AddTo(Of(policy), policy, name, content);
        }
    }

    /// <summary>Whether every line is good; nothing of a set with a bad line is used.</summary>
    private bool CheckText(Policy policy, string name, ReadOnlySpan<byte> content, bool tell)
    {
        string path = directory.PathOf(policy, name);
        int known = Faults.Count;
        bool isGood = SetFile.IsText(content);
        if (!isGood && tell)
        {
            Faults.Add(new SetFault(path, SetFile.FindBadText(content), string.Empty, "not UTF-8"));
        }

        var reader = new SetReader(isGood ? content : default);
        int mapped = 0;
        while (reader.Next())
        {
            CidrFault fault = reader.TryParse(out Cidr cidr);
            mapped += cidr.IsV4Mapped ? 1 : 0;
            if (fault != CidrFault.None)
            {
                isGood = false;
                if (tell && Faults.Count < SetFile.MaxFaults)
                {
                    Faults.Add(SetFault.OfLine(reader.Line, reader.Text, fault) with { File = path });
                }
            }
        }

        if (tell && mapped > 0)
        {
            Mapped.Add((path, mapped));
        }

        return isGood;
    }

    private static void AddTo(SetImage image, Policy policy, string name, ReadOnlySpan<byte> content)
    {
        image.BeginSet(Encoding.ASCII.GetBytes(name + SetFile.Suffix));
        var reader = new SetReader(content);
        while (reader.Next())
        {
            if (reader.TryParse(out Cidr cidr) == CidrFault.None)
            {
                image.Add(cidr);
            }
        }
    }

    private void Fit(Policy policy, string name, ReadOnlySpan<byte> content, HashSet<Cidr> networks, int[] counts, StoreLimits limits)
    {
        var added = new List<Cidr>();
        foreach (Cidr cidr in SetFile.Read(content, out _))
        {
            if (networks.Add(cidr.Network))
            {
                added.Add(cidr.Network);
                counts[(int)cidr.Family]++;
            }
        }

        if (Math.Max(counts[0], counts[1]) <= limits.Entries(policy))
        {
            AddTo(Of(policy), policy, name, content);
            return;
        }

        Faults.Add(new SetFault(
            directory.PathOf(policy, name), 0, string.Empty,
            $"does not fit beside the sets before it (at most {limits.Entries(policy)} networks per address family)"));
        foreach (Cidr cidr in added)
        {
            networks.Remove(cidr);
            counts[(int)cidr.Family]--;
        }
    }
}
