using System.Text;
using Couic.Native;
using Couic.Store;

namespace Couic.Sets;

/// <summary>
/// Reads all set files into one image per policy and collects their faults. Time and memory are bounded by
/// <see cref="SetLimits"/> and <see cref="StoreLimits"/>, whatever the folder contains.
/// </summary>
internal sealed class SetImages(SetDirectory directory, StoreLimits limits) : IDisposable
{
    /// <summary>Shared by all files, so that reading leaves no garbage.</summary>
    private readonly ScratchMemory _buffer = new(directory.Limits.MaxFileBytes + 1);

    public SetImage Ignore { get; } = new(Policy.Ignore, limits.MaxIgnoreEntries);

    public SetImage Drop { get; } = new(Policy.Drop, limits.MaxDropEntries);

    /// <summary>A set that is read as if its file did not exist; null for none.</summary>
    public (Policy Policy, string Name)? Skipped { get; init; }

    /// <summary>Files that were read, invalid ones included.</summary>
    public int Count { get; private set; }

    public List<SetFault> Faults { get; } = [];

    /// <summary>The state of the files that were read, invalid ones included.</summary>
    public SetMarks Marks { get; } = new();

    /// <summary>Names of sets with IPv4-mapped networks, and how many; those match no IPv4 packet.</summary>
    public List<(string Path, int Count)> Mapped { get; } = [];

    /// <summary>Whether the system failed to read a file.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>Whether the files of a policy exceed a limit that they share.</summary>
    public bool HasOverflowed { get; private set; }

    public void Dispose() => _buffer.Dispose();

    public SetImage Of(Policy policy) => policy == Policy.Ignore ? Ignore : Drop;

    /// <summary>
    /// Reads every file in the order of the names; a bad one, and one that does not fit with those before it, adds to <see cref="Faults"/>
    /// and nothing to the images.
    /// </summary>
    /// <exception cref="IOException">A folder cannot be read.</exception>
    public void Read(params ReadOnlySpan<Policy> policies)
    {
        foreach (Policy policy in policies)
        {
            long left = directory.Limits.MaxTotalBytes;
            List<string> names = directory.Names(policy, out int beyond);
            foreach (string name in names)
            {
                left -= ReadSet(policy, name, left);
            }

            if (beyond > 0)
            {
                Overflow(directory.PathOf(policy), $"{beyond} set files are skipped: at most {directory.Limits.MaxFiles} are read, in the order of their names ([limits] max_set_files)");
            }
        }
    }

    /// <returns>The bytes that were read.</returns>
    private int ReadSet(Policy policy, string name, long left)
    {
        if ((policy, name) == Skipped)
        {
            return 0;
        }

        string path = directory.PathOf(policy, name);
        int room = (int)Math.Min(directory.Limits.MaxFileBytes, left);
        _ = Files.TryStat(path, out FileState state);
        GuardResult result = directory.ReadFile(policy, name, _buffer.Bytes[..(room + 1)], out int length);
        if (result.Status == GuardStatus.Absent)
        {
            return 0; // deleted since the folder was listed
        }

        Count++;
        Marks.Add(path, state, _buffer.Bytes[..length]);
        if (result.IsOk)
        {
            ReadText(Of(policy), path, name, _buffer.Bytes[..length]);
        }
        else if (result.Status == GuardStatus.TooLarge && room < directory.Limits.MaxFileBytes)
        {
            Overflow(path, $"does not fit with the files before it: {directory.Limits.MaxTotalBytes} bytes of {policy.Name()} are read (4 times [limits] max_set_file_bytes)");
        }
        else
        {
            HasFailed |= result.Status == GuardStatus.Failed;
            Faults.Add(new SetFault(path, 0, string.Empty, SetDirectory.Answer(name, result).Message));
        }

        return length;
    }

    private void ReadText(SetImage image, string path, string name, ReadOnlySpan<byte> content)
    {
        if (!SetFile.IsText(content))
        {
            Faults.Add(new SetFault(path, SetFile.FindBadText(content), string.Empty, "not UTF-8"));
            return;
        }

        image.BeginSet(Encoding.ASCII.GetBytes(name + SetFile.Suffix));
        if (!TryAddLines(image, path, content, out int mapped))
        {
            image.DropSet(); // a set with an invalid line is skipped as a whole
        }

        if (mapped > 0)
        {
            Mapped.Add((path, mapped));
        }
    }

    private bool TryAddLines(SetImage image, string path, ReadOnlySpan<byte> content, out int mapped)
    {
        bool isGood = true;
        mapped = 0;
        var reader = new SetReader(content);
        while (reader.Next())
        {
            CidrFault fault = reader.TryParse(out Cidr cidr);
            mapped += cidr.IsV4Mapped ? 1 : 0;
            if (fault != CidrFault.None)
            {
                isGood = false;
                if (Faults.Count < SetFile.MaxFaults)
                {
                    Faults.Add(SetFault.OfLine(reader.Line, reader.Text, fault) with { File = path });
                }
            }
            else if (isGood && !TryAdd(image, cidr, reader.Reason))
            {
                Overflow(path, $"does not fit with the sets before it: at most {limits.Entries(image.Policy)} networks of {FamilyName(cidr)} ([limits] max_{image.Policy.Name()}_entries)");
                return false;
            }
        }

        return isGood;
    }

    private static bool TryAdd(SetImage image, Cidr cidr, ReadOnlySpan<byte> reason)
    {
        image.BeginReason(reason);
        return image.Add(cidr);
    }

    private void Overflow(string path, string message)
    {
        HasOverflowed = true;
        Faults.Add(new SetFault(path, 0, string.Empty, message));
    }

    private static string FamilyName(Cidr cidr) => cidr.Family == IpFamily.V4 ? "IPv4" : "IPv6";
}
